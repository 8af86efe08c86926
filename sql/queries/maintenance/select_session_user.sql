-- Who signed in, and whether a query can give itself every right again.
SELECT session_user::text, rolsuper FROM pg_roles WHERE rolname = session_user
