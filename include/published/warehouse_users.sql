-- Who may log in to the warehouse of docker-compose.yaml; run once, by the database's superuser, when
-- its volume is made. Passwords come from the environment.
\getenv loader_password WAREHOUSE_LOADER_PASSWORD
\getenv analyst_password WAREHOUSE_ANALYST_PASSWORD
create role rfm_reader nologin;
create role loader login password :'loader_password';
create role analyst login password :'analyst_password' in role rfm_reader;
revoke all on database warehouse from public;
grant connect on database warehouse to loader, rfm_reader;
revoke all on schema public from public;
alter schema public owner to loader;
-- An analyst's query that was forgotten holds back the clean-up of replaced rows.
alter role analyst set idle_in_transaction_session_timeout = '10min';
