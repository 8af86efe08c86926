-- Who did what, and why: rows are added and never change. ml_pipeline may add rows, whose time, number and database user the
-- server writes; a trigger holds everyone else off, the owner included. The rows are few and are kept for good.

-- depends: 0014.notifications

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

REVOKE ALL ON ops.audit FROM ml_pipeline;
GRANT SELECT, INSERT (action, subject, actor, run_id, launched_by, reason, details) ON ops.audit TO ml_pipeline;
