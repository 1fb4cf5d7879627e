-- Who may log in to the warehouse of docker-compose.yaml. The database's superuser runs this when the volume
-- is made, and `make up` each time, so every statement may be repeated. Passwords come from the environment.
\getenv loader_password WAREHOUSE_LOADER_PASSWORD
\getenv analyst_password WAREHOUSE_ANALYST_PASSWORD
set client_min_messages = warning;
select format('create role %I', name) from unnest(array['rfm_reader', 'loader', 'analyst']) name
where not exists (select from pg_roles where rolname = name) \gexec
alter role loader login password :'loader_password';
alter role analyst login password :'analyst_password';
grant rfm_reader to analyst;

-- The default lets everyone connect to every database, and make temporary tables there.
select format('revoke all on database %I from public', datname) from pg_database \gexec
grant connect on database warehouse to loader, rfm_reader;
revoke all on schema public from public;
alter schema public owner to loader;
grant usage on schema public to rfm_reader;
alter default privileges for role loader, current_user in schema public grant select on tables to rfm_reader;

-- Functions that write without a table, and locks by number, which could hold up a load.
select format('revoke execute on function %s from public', oid::regprocedure) from pg_proc
where pronamespace = 'pg_catalog'::regnamespace
  and proname ~ '^(lo_|lowrite|pg_(try_)?advisory_|pg_logical_emit_message|pg_export_snapshot)' \gexec
grant execute on function pg_advisory_xact_lock(bigint) to loader;

-- An analyst's query that was forgotten holds back the clean-up of replaced rows, and a large one fills the
-- disk. A session may change the timeouts and the read-only default; it has no right to write all the same.
alter role analyst reset all;
alter role analyst in database warehouse reset all;
alter role analyst set default_transaction_read_only = on;
alter role analyst set statement_timeout = '15min';
alter role analyst set idle_in_transaction_session_timeout = '10min';
alter role analyst set temp_file_limit = '2GB';
alter role analyst connection limit 50; -- of 100, so that a load always finds one
