-- The texts of values, whatever the server's or the role's own forms.
SELECT set_config('datestyle', 'ISO, MDY', true), set_config('timezone', 'UTC', true),
       set_config('intervalstyle', 'postgres', true), set_config('extra_float_digits', '1', true),
       set_config('bytea_output', 'hex', true)
