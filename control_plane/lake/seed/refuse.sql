-- A budget refuses: from the first call on that does not fit into what is left of it ($1, nano-USD), nothing of Marketing
-- studio is dispatched any more in its month. They stay calls, that a gateway answers itself: they used and cost nothing.
UPDATE calls SET
    fate = 'spent', outcome = 'refused', status = 402, refusal_code = 'budget_exceeded', upstream_status = NULL,
    provenance = 'none', flags = [], is_metered = false, price_match = 'none', price_version = '', cost_nanousd = 0
WHERE n IN (
    SELECT n
    FROM (
        SELECT n, sum(coalesce(cost_nanousd, 0)) OVER (ORDER BY ts_us, n) AS spent
        FROM calls
        WHERE project = 'marketing' AND ts_us >= month_from_us AND ts_us < month_to_us
    )
    WHERE spent > $1
)
