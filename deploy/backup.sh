#!/usr/bin/env bash
# Writes what cannot be made again into one file: each database as it stands at one moment, the
# signing keys and the service's secret. `make backup`; docs/backup/README.md.
#   FILE                      where to; backups/loguserapp-<time>.tar.gz, or .gpg when encrypted
#   BACKUP_PASSPHRASE_FILE    encrypt with the passphrase in this file (or in BACKUP_PASSPHRASE)
#   BACKUP_PUBLIC_KEY         encrypt for the OpenPGP public key in this file
set -euo pipefail
umask 077
cd "$(dirname "$0")/.."

fail() {
	printf 'loguserapp: no backup was made: %s\n' "$*" >&2
	exit 1
}

passphrase=${BACKUP_PASSPHRASE:-}
[ -z "${BACKUP_PASSPHRASE_FILE:-}" ] || passphrase=$(<"$BACKUP_PASSPHRASE_FILE")
encrypted=${passphrase:+.gpg}${BACKUP_PUBLIC_KEY:+.gpg}
[ "$encrypted" != .gpg.gpg ] || fail "give a passphrase or a public key, not both"
[ -z "$encrypted" ] || command -v gpg >/dev/null || fail "gpg is not installed"

file=${FILE:-backups/loguserapp-$(date -u +%Y%m%dT%H%M%SZ).tar.gz$encrypted}
mkdir -p "$(dirname "$file")"
[ ! -e "$file" ] || fail "$file exists, and nothing is overwritten"
work=$(mktemp -d "$(dirname "$file")/.backup.XXXXXX") # on the same disk, so that it moves whole
trap 'rm -rf "$work"' EXIT

. deploy/database.sh
# A MySQL that has run since before the library has no database for it until it starts again.
databases=$(database mysql -BN \
	-e "SHOW DATABASES WHERE \`Database\` IN ('loguserapp', 'perpustakaan')") || fail "MySQL does not answer"
for database in $databases; do
	database mysqldump \
		--single-transaction --quick --loose-skip-masking-policies --no-tablespaces --set-gtid-purged=OFF --hex-blob \
		--default-character-set=utf8mb4 $database >"$work/$database.sql" || fail "mysqldump failed"
	tail -n 1 "$work/$database.sql" | grep -q '^-- Dump completed' || fail "the dump is cut off"
done
# After the dump, so that no token in use by then was signed with a key that is missing here.
mkdir "$work/instance"
# Mails without a mail server come and go there, and their links are nobody's to keep.
docker compose run --rm --no-deps -T --entrypoint tar web -C /instance --exclude=./outbox -c . 2>"$work/log" |
	tar -C "$work/instance" -x || fail "the signing keys cannot be read: $(tail -n 1 "$work/log")"
for name in keyring.json secret_key; do
	[ -s "$work/instance/$name" ] || fail "the instance volume holds no $name"
done

pack() { (cd "$work" && tar -cz ./*.sql instance); }
case ${passphrase:+passphrase}${BACKUP_PUBLIC_KEY:+key} in
passphrase)
	mkdir "$work/gpg"
	pack | gpg --homedir "$work/gpg" --batch --quiet --pinentry-mode loopback --passphrase-fd 3 \
		--symmetric --cipher-algo AES256 --s2k-digest-algo SHA512 --s2k-count 65011712 \
		3<<<"$passphrase" >"$work/done"
	gpgconf --homedir "$work/gpg" --kill all
	;;
key) pack | gpg --batch --quiet --trust-model always --recipient-file "$BACKUP_PUBLIC_KEY" --encrypt >"$work/done" ;;
*)
	pack >"$work/done"
	echo "loguserapp: not encrypted: whoever reads it can sign tokens. BACKUP_PASSPHRASE_FILE or BACKUP_PUBLIC_KEY encrypts" >&2
	;;
esac || fail "packing failed"
sync "$work/done"
ln "$work/done" "$file" || fail "$file exists, and nothing is overwritten"
echo "$file"
