-- The settings that the last entry of a home recorded.
SELECT details -> 'settings'
FROM ops.audit
WHERE action = 'setting_change' AND subject = %(home)s
ORDER BY id DESC
LIMIT 1
