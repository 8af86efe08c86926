-- Contents of ratings that were landed, whether or not a table has them.
SELECT path, md5, size, store_key, columns FROM ops.files
WHERE for_table = 'ratings' OR for_table LIKE 'batches/%'
ORDER BY landing
