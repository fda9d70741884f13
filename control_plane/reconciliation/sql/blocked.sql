-- Calls that a limit or a kill switch refused, by what they asked for.
SELECT refusal_code, coalesce(provider, ''), coalesce(model_requested, ''), count(*) FROM events
WHERE outcome = 'refused' AND list_contains(getvariable('codes'), refusal_code)
GROUP BY ALL ORDER BY ALL
