#!/usr/bin/env bash
# Puts a new version in the place of the running one without a failed request: `make rolling-update`.
# Builds the image, migrates, then starts one new replica, waits until it is healthy, and only then
# ends an old one; and so on. A migration must suit the version before, which serves meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'loguserapp: %s\n' "$*" >&2; }

running=$(docker compose ps -q web)
if [ -z "$running" ]; then
	say "no replica is running. Start the stack with: docker compose up -d"
	exit 1
fi

image=$(docker inspect -f '{{.Image}}' $running | sort -u)
docker compose build --quiet web
for step in secrets migrate; do
	docker compose run --rm --no-deps -T "$step" || {
		say "the step $step failed: the old version goes on serving"
		exit 1
	}
done

one_more=$(($(wc -l <<<"$running") + 1))
for replica in $running; do
	before=$(docker compose ps -aq web)
	if ! docker compose up -d --no-deps --no-recreate --scale "web=$one_more" \
		--wait --wait-timeout 120 web; then
		docker compose logs --tail 5 web >&2
		docker compose ps -aq web | grep -vxF "$before" | xargs -r docker rm -f >/dev/null
		say "the new version does not come up and was taken away: the old one goes on serving"
		exit 1
	fi
	docker stop "$replica" >/dev/null
	docker rm "$replica" >/dev/null
done
docker image rm -f $image >/dev/null 2>&1 || true # unless it is the same, or has another name
say "every replica runs the new version"
