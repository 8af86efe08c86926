-- Each user's train ratings, counted by half stars; what resampling whole users needs.
SELECT userId, (rating * 2)::int::smallint AS half_stars, count(*)::int AS count
FROM ratings
WHERE data_split = 'train'
GROUP BY 1, 2
