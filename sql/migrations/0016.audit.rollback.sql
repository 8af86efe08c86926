DROP TABLE ops.audit;
DROP FUNCTION ops.refuse_audit_change();
