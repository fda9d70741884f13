-- Costs by day in the columns of FOCUS 1.2 (https://focus.finops.org/focus-specification/v1-2/): all mandatory ones, and
-- those conditional ones that apply. Calls without a known cost are in no row's cost, as the specification has no unknown
-- one: x_UnpricedCalls says how many there were beside the priced ones. What a contract changed is in the cost alone, so
-- that list, contracted and effective cost are the billed one. -> rows
SELECT
    sum(cost_usd) AS BilledCost,
    org_id AS BillingAccountId,
    org_id AS BillingAccountName,
    'Organization' AS BillingAccountType,
    'USD' AS BillingCurrency,
    date_trunc('month', hour) + INTERVAL 1 MONTH AS BillingPeriodEnd,
    date_trunc('month', hour) AS BillingPeriodStart,
    'Usage' AS ChargeCategory,
    CAST(NULL AS VARCHAR) AS ChargeClass,
    concat_ws(' ', provider, model, route) AS ChargeDescription,
    'Usage-Based' AS ChargeFrequency,
    date_trunc('day', hour) + INTERVAL 1 DAY AS ChargePeriodEnd,
    date_trunc('day', hour) AS ChargePeriodStart,
    CAST(coalesce(sum(tokens_in), 0) + coalesce(sum(tokens_out), 0) AS BIGINT) AS ConsumedQuantity,
    'Tokens' AS ConsumedUnit,
    sum(cost_usd) AS ContractedCost,
    sum(cost_usd) AS EffectiveCost,
    provider AS InvoiceIssuerName,
    sum(cost_usd) AS ListCost,
    'Standard' AS PricingCategory,
    'USD' AS PricingCurrency,
    CAST(coalesce(sum(tokens_in), 0) + coalesce(sum(tokens_out), 0) AS BIGINT) AS PricingQuantity,
    'Tokens' AS PricingUnit,
    provider AS ProviderName,
    provider AS PublisherName,
    key_id AS ResourceId,
    'API key' AS ResourceType,
    'AI and Machine Learning' AS ServiceCategory,
    provider AS ServiceName,
    'Generative AI' AS ServiceSubcategory,
    model AS SkuId,
    model AS SkuPriceId,
    project_id AS SubAccountId,
    project_id AS SubAccountName,
    'Project' AS SubAccountType,
    CAST(to_json({'team': team, 'route': route, 'tags': array_to_string(tags, ';')}) AS VARCHAR) AS Tags,
    CAST(sum(calls) AS BIGINT) AS x_Calls,
    CAST(sum(calls - priced_calls) AS BIGINT) AS x_UnpricedCalls
FROM hourly
WHERE outcome <> 'refused'
GROUP BY
    org_id, project_id, key_id, team, tags, route, provider, model, date_trunc('day', hour), date_trunc('month', hour)
HAVING sum(priced_calls) > 0
ORDER BY ChargePeriodStart, SubAccountId, ProviderName, SkuId, ResourceId
