"""People and configuration: the API, the admin UI, and the policy every gateway obeys. Nothing is here yet."""
