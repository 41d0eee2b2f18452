#!/usr/bin/env bash
# A cluster of Dask for `flask cohort run --scheduler tls://HEAD:8786`, where there is none yet.
#
#   deployment/dask-cluster.sh scheduler          on one machine
#   deployment/dask-cluster.sh worker HEAD        on each of the others: a worker a core
#
# Run it in Kinelab's folder, with its environment active. CA, CERT and KEY are files of an authority of yours: who has
# a certificate of it runs programs on these machines.
set -euo pipefail
: "${CA:?the certificate of the authority}" "${CERT:?the certificate of this machine}" "${KEY:?its key}"
export PYTHONPATH="$PWD" OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1 MALLOC_ARENA_MAX=2
export DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true
export DASK_DISTRIBUTED__WORKER__MEMORY__SPILL=false DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=false
tls=(--tls-ca-file "$CA" --tls-cert "$CERT" --tls-key "$KEY")
case "${1:-}" in
  scheduler) exec dask scheduler "${tls[@]}" --protocol tls --port 8786 --no-dashboard ;;
  worker) exec dask worker "tls://$2:8786" "${tls[@]}" --nworkers "$(nproc)" --nthreads 1 --memory-limit "${MEMORY:-4GiB}" --no-dashboard ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
