-- Sums over all calls. -> one row of totals
SELECT {totals}, {usage} FROM hourly
