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

# 429 is for what RATELIMIT_ENABLED turns off; the capacity limits alone answer 503.
key=\$client status=429
[ "${RATELIMIT_ENABLED:-true}" = false ] && key='' status=503
cat >/tmp/settings.conf <<END
limit_req_status $status;
map \$request_method \$limit_key { default "$key"; GET ""; HEAD ""; OPTIONS ""; }
map "" \$public_url { default "${PUBLIC_URL%/}"; }
END

# The name on error pages: the characters that HTML or nginx would read become entities.
name=$(printf %s "${APP_NAME:-loguserapp}" | tr -d '\n' |
	sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g; s/\$/\&#36;/g; s/\\/\&#92;/g')
echo "map \"\" \$app_name { default \"$name\"; }" >>/tmp/settings.conf

nginx -t -q # says what is wrong before its errors go through the filter

# The error log's format is fixed and shows whole addresses: what follows a question mark is taken
# out of it. nginx stays process 1, so that signals and its exit status are its own.
rm -f /tmp/errors
mkfifo /tmp/errors
sed -u 's/?[^ ]*/?/g' </tmp/errors >&2 &
exec nginx -g 'daemon off;' 2>/tmp/errors
