-- What a row of `hourly` has for a dimension, '' for none. $by: one of these, or null for ''.
coalesce(CASE $by
    WHEN 'model' THEN model
    WHEN 'provider' THEN provider
    WHEN 'route' THEN route
    WHEN 'key' THEN key_id
    WHEN 'team' THEN team
    WHEN 'project' THEN project_id
    WHEN 'outcome' THEN outcome
    WHEN 'provenance' THEN provenance
    WHEN 'status' THEN CAST(status AS VARCHAR)
END, '')
