-- Who did what, and why: rows are added and never change. ml_pipeline may read and add them (grant_roles.sql); a trigger
-- holds everyone else off, the owner included. Time and database user are the server's. The rows are few and stay for good.

-- depends: 0011.narrow-rights

CREATE TABLE ops.audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    action VARCHAR(30) NOT NULL,
    subject TEXT NOT NULL,
    actor TEXT NOT NULL CHECK (actor <> ''),
    run_id VARCHAR(64),
    launched_by TEXT,
    database_user TEXT NOT NULL DEFAULT session_user,
    reason TEXT NOT NULL CHECK (reason <> ''),
    details JSONB NOT NULL DEFAULT '{}'
);

CREATE FUNCTION ops.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ops.audit is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.audit
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_audit_change();

-- What the server knows is not the client's to say.
CREATE FUNCTION ops.stamp_audit_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := clock_timestamp();
    NEW.database_user := session_user;
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_is_stamped BEFORE INSERT ON ops.audit
    FOR EACH ROW EXECUTE FUNCTION ops.stamp_audit_entry();
