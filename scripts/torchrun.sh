#!/usr/bin/env bash
# One process per GPU of this machine, or of several: scripts/torchrun.sh train RECIPE trainer=ddp [override ...]
#
#   PROCESSES  on this machine; default: one per GPU
#   NODES      machines; default 1. Start the script on each, with the same words and
#   MASTER     host:port of one of them, as node0:29500
#   PYTHON     that lasasr is installed for; default: python
#
# torchrun sends SIGTERM and Ctrl-C on to its processes and gives them 30 s to save. Its own exit status is 1 whatever theirs is.
set -euo pipefail

launch=(--nproc-per-node "${PROCESSES:-gpu}")
if [ "${NODES:-1}" -gt 1 ]; then
    : "${MASTER:?host:port of one of the NODES machines}"
    launch+=(--nnodes "$NODES" --rdzv-backend c10d --rdzv-endpoint "$MASTER" --rdzv-id lasasr)
else
    launch+=(--standalone)
fi
exec "${PYTHON:-python}" -m torch.distributed.run "${launch[@]}" -m lasasr "$@"
