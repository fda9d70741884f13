-- Costs by day in the columns of FOCUS 1.2 (https://focus.finops.org/focus-specification/v1-2/): all mandatory ones, and
-- those others that apply. Calls without a known cost are in no row's cost, as the specification has no unknown one:
-- x_UnpricedCalls says how many there were beside the priced ones. What a contract changed is in the cost alone, so that
-- list, contracted and effective cost are the billed one. A model's tokens have several prices, so there is no unit price.
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
        nullif(array_to_string(tags, ';'), '') AS words,
        sum(cost_usd) AS cost_usd,
        CAST(coalesce(sum(tokens_in), 0) + coalesce(sum(tokens_out), 0) AS DECIMAL(38, 0)) AS tokens,
        CAST(sum(calls) AS BIGINT) AS counted,
        CAST(sum(calls - priced_calls) AS BIGINT) AS unpriced
    FROM hourly
    WHERE outcome <> 'refused'
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
    tokens AS ConsumedQuantity,
    'Tokens' AS ConsumedUnit,
    cost_usd AS ContractedCost,
    cost_usd AS EffectiveCost,
    CAST(NULL AS VARCHAR) AS InvoiceId,
    provider AS InvoiceIssuerName,
    cost_usd AS ListCost,
    'Standard' AS PricingCategory,
    'USD' AS PricingCurrency,
    tokens AS PricingQuantity,
    'Tokens' AS PricingUnit,
    provider AS ProviderName,
    provider AS PublisherName,
    key_id AS ResourceId,
    CASE WHEN key_id IS NOT NULL THEN 'API key' END AS ResourceType,
    'AI and Machine Learning' AS ServiceCategory,
    provider AS ServiceName,
    'Generative AI' AS ServiceSubcategory,
    model AS SkuId,
    model AS SkuPriceId,
    project_id AS SubAccountId,
    project_id AS SubAccountName,
    CASE WHEN project_id IS NOT NULL THEN 'Project' END AS SubAccountType,
    CAST(to_json(map(['team', 'route', 'tags'], [team, route, words])) AS VARCHAR) AS Tags,
    counted AS x_Calls,
    unpriced AS x_UnpricedCalls
FROM charged
ORDER BY day, project_id, provider, model, key_id, team, route, words
