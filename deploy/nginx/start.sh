#!/bin/sh
# nginx.conf knows no environment: what depends on the settings is written before nginx starts.
set -eu

host=${PUBLIC_URL#*://}
host=${host%/}
host=${host%:[0-9]*}
case $host in
'' | *[!A-Za-z0-9.:_\[\]-]*)
	echo "loguserapp: PUBLIC_URL must look like https://login.example.com, without a path." >&2
	exit 1
	;;
esac
if [ "$host" = localhost ]; then # which servers.conf names already
	host=''
fi
echo "${host:+server_name $host;}" >/tmp/server_name.conf

[ "${RATELIMIT_ENABLED:-true}" = false ] && key='' || key=\$binary_remote_addr
cat >/tmp/settings.conf <<END
map \$request_method \$limit_key { default "$key"; GET ""; HEAD ""; OPTIONS ""; }
map "" \$public_url { default "${PUBLIC_URL%/}"; }
END

exec nginx -g 'daemon off;'
