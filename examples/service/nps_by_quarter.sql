-- The counts behind a year's NPS by quarter and sector: what POST /nps/rows takes with counts="n".
select sector, date_trunc('quarter', period)::date as period, answer, sum(n)::bigint as n
from tallies
where year(period) = $year
group by all
order by all
