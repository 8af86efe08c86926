DROP TABLE ops.audit;
DROP FUNCTION ops.refuse_audit_change();
DROP FUNCTION ops.stamp_audit_entry();
