-- Costs by day in the columns of FOCUS 1.2 (https://focus.finops.org/focus-specification/v1-2/): all mandatory ones, and
-- those others that apply. Calls without a known cost are in no row's cost, as the specification has no unknown one:
-- x_UnpricedCalls says how many there were beside the priced ones. What cost nothing and names no provider or model, such
-- as a list of models, is no charge. Prices are per million tokens; what is not billed by tokens is counted in requests.
-- -> rows
WITH charged AS (
    SELECT
        CAST(date_trunc('month', hour) AS TIMESTAMPTZ) AS month,
        CAST(date_trunc('day', hour) AS TIMESTAMPTZ) AS day,
        org_id,
        nullif(project_id, '') AS project_id,
        nullif(key_id, '') AS key_id,
        coalesce(nullif(provider, ''), 'Unknown') AS provider,
        nullif(model, '') AS model,
        nullif(route, '') AS route,
        nullif(team, '') AS team,
        list_sort(list_distinct(tags)) AS words,
        sum(cost_usd) AS cost_usd,
        CAST(nullif(coalesce(sum(tokens_in), 0) + coalesce(sum(tokens_out), 0), 0) AS DECIMAL(38, 0)) AS tokens,
        CAST(sum(calls) AS BIGINT) AS counted,
        CAST(sum(calls - priced_calls) AS BIGINT) AS unpriced
    FROM hourly
    WHERE outcome <> 'refused' AND (cost_usd IS NULL OR cost_usd > 0 OR (provider <> '' AND model <> ''))
    GROUP BY ALL
    HAVING sum(priced_calls) > 0
)
SELECT
    cost_usd AS BilledCost,
    org_id AS BillingAccountId,
    org_id AS BillingAccountName,
    'Organization' AS BillingAccountType,
    'USD' AS BillingCurrency,
    month + INTERVAL 1 MONTH AS BillingPeriodEnd,
    month AS BillingPeriodStart,
    'Usage' AS ChargeCategory,
    CAST(NULL AS VARCHAR) AS ChargeClass,
    concat_ws(' ', provider, model, route) AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency,
    day + INTERVAL 1 DAY AS ChargePeriodEnd,
    day AS ChargePeriodStart,
    coalesce(tokens, counted) AS ConsumedQuantity,
    CASE WHEN tokens IS NULL THEN 'Requests' ELSE 'Tokens' END AS ConsumedUnit,
    cost_usd AS ContractedCost,
    cost_usd AS EffectiveCost,
    CAST(NULL AS VARCHAR) AS InvoiceId,
    provider AS InvoiceIssuerName,
    cost_usd AS ListCost,
    'Standard' AS PricingCategory,
    'USD' AS PricingCurrency,
    coalesce(CAST(tokens * CAST('0.000001' AS DECIMAL(7, 6)) AS DECIMAL(38, 6)), counted) AS PricingQuantity,
    CASE WHEN tokens IS NULL THEN 'Requests' ELSE '1000000 Tokens' END AS PricingUnit,
    provider AS ProviderName,
    provider AS PublisherName,
    CAST(NULL AS VARCHAR) AS RegionId,
    CAST(NULL AS VARCHAR) AS RegionName,
    key_id AS ResourceId,
    CAST(NULL AS VARCHAR) AS ResourceName,
    CASE WHEN key_id IS NOT NULL THEN 'API key' END AS ResourceType,
    'AI and Machine Learning' AS ServiceCategory,
    provider AS ServiceName,
    'Generative AI' AS ServiceSubcategory,
    model AS SkuId,
    CASE WHEN model IS NOT NULL THEN 'Model Usage' END AS SkuMeter,
    CAST(NULL AS VARCHAR) AS SkuPriceDetails,
    model AS SkuPriceId,
    project_id AS SubAccountId,
    project_id AS SubAccountName,
    CASE WHEN project_id IS NOT NULL THEN 'Project' END AS SubAccountType,
    CASE
        WHEN len(words) > 0 THEN CAST(to_json(map(words, list_resize([true], len(words), true))) AS VARCHAR)
    END AS Tags,
    counted AS x_Calls,
    route AS x_Route,
    team AS x_Team,
    unpriced AS x_UnpricedCalls
FROM charged
ORDER BY day, project_id, provider, model, key_id, team, route, words
