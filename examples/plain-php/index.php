<?php

// A back end in one file that trusts the access tokens of loguserapp. PHP 8.1 or newer with openssl
// and curl. Copy all but the last part, "The program", and call claims_of_request().

declare(strict_types=1);

ini_set('display_errors', '0');
header_remove('X-Powered-By'); // it names the version of PHP

// PUBLIC_URL of the service: `iss` and `aud` of its tokens.
define('LOGUSERAPP_URL', rtrim(getenv('LOGUSERAPP_URL') ?: 'http://127.0.0.1:5000', '/'));
// Where this program reaches the service, if that is elsewhere.
define('LOGUSERAPP_INTERNAL_URL', rtrim(getenv('LOGUSERAPP_INTERNAL_URL') ?: LOGUSERAPP_URL, '/'));

const LEEWAY = 150; // seconds that the clocks of this machine and of the service may be apart
const KEYS_MAX_AGE = 300.0; // by then a key that was retired is refused here too
const KEYS_COOLDOWN = 10.0; // how often unknown names of keys may cause a fetch
const REVOKED_INTERVAL = 1.0;
const RETRY = 1.0;
const FETCH_TIMEOUT_MS = 2000;
const MAX_KEYS_BYTES = 64 * 1024;
const MAX_REVOKED_BYTES = 10_000_000;
const MAX_TOKEN_LENGTH = 8192;

// ---- Refusals: problem details (RFC 9457)

final class Refusal extends Exception
{
    private const DETAILS = [
        'token_missing' => 'This needs an access token: send it as Authorization: Bearer <token>.',
        'token_invalid' => 'The access token is not valid. Log in again.',
        'token_expired' => 'The access token has expired. Refresh it, or log in again.',
        'token_revoked' => 'The session of this access token has ended. Log in again.',
        'service_unavailable' => 'The login service does not answer. Try again in a few seconds.',
        'not_found' => 'There is nothing at this address.',
        'method_not_allowed' => 'This address does not know the method.',
        'internal_error' => 'Something broke on our side. It has been noted.',
    ];

    private const TITLES = [
        401 => 'Unauthorized',
        404 => 'Not Found',
        405 => 'Method Not Allowed',
        500 => 'Internal Server Error',
        503 => 'Service Unavailable',
    ];

    public function __construct(private int $status, private string $refusal, private string $header = '')
    {
        parent::__construct(self::DETAILS[$refusal]);
    }

    public static function token(string $refusal): self
    {
        $error = $refusal === 'token_missing' ? '' : ' error="invalid_token"';

        return new self(401, $refusal, "WWW-Authenticate: Bearer$error");
    }

    public static function unavailable(): self
    {
        return new self(503, 'service_unavailable', 'Retry-After: 5');
    }

    public function send(): void
    {
        if ($this->header !== '') {
            header($this->header);
        }
        send_json($this->status, [
            'type' => 'about:blank',
            'title' => self::TITLES[$this->status],
            'status' => $this->status,
            'detail' => $this->getMessage(),
            'code' => $this->refusal,
        ], 'application/problem+json');
    }
}

function send_json(int $status, array $members, string $type = 'application/json'): void
{
    http_response_code($status);
    header("Content-Type: $type");
    header('Cache-Control: no-store');
    echo json_encode($members, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES), "\n";
}

// ---- The token

/** The claims of the good access token of this request; throws Refusal where there is none. */
function claims_of_request(): array
{
    $authorization = $_SERVER['HTTP_AUTHORIZATION']
        ?? $_SERVER['REDIRECT_HTTP_AUTHORIZATION'] // Apache, after a rewrite
        ?? getallheaders()['Authorization'] // Apache with PHP as its module
        ?? '';
    [$scheme, $token] = explode(' ', $authorization, 2) + [1 => ''];
    if (strcasecmp($scheme, 'Bearer') !== 0) {
        throw Refusal::token('token_missing');
    }

    return verify(trim($token, ' '));
}

function verify(string $token): array
{
    [$header, $claims, $signed, $signature] = parse($token);
    $isOfOurKind = ($header['alg'] ?? null) === 'ES256'
        && ($header['typ'] ?? null) === 'at+jwt'
        && !isset($header['crit'])
        && is_string($header['kid'] ?? null);
    $key = $isOfOurKind ? find_key($header['kid']) : null;
    if ($key === null || openssl_verify($signed, $signature, $key, OPENSSL_ALGO_SHA256) !== 1) {
        throw Refusal::token('token_invalid');
    }
    check_claims($claims);
    if (is_revoked($claims['sid'])) {
        throw Refusal::token('token_revoked');
    }

    return $claims;
}

/** Header, claims, what is signed, and the signature as OpenSSL wants it. */
function parse(string $token): array
{
    $parts = explode('.', $token, 4);
    if (strlen($token) > MAX_TOKEN_LENGTH || count($parts) !== 3) {
        throw Refusal::token('token_invalid');
    }
    [$header, $claims, $signature] = array_map('base64url_decode', $parts);
    $header = json_decode($header, true);
    $claims = json_decode($claims, true);
    if (!is_array($header) || !is_array($claims) || strlen($signature) !== 64) {
        throw Refusal::token('token_invalid');
    }

    return [$header, $claims, "$parts[0].$parts[1]", ecdsa_der($signature)];
}

/** The bytes; '' where the text is not base64url without padding. */
function base64url_decode(string $text): string
{
    $isClean = preg_match('/\A[A-Za-z0-9_-]+\z/', $text);

    return $isClean ? (string) base64_decode(strtr($text, '-_', '+/'), true) : '';
}

/** A JWT has r and s side by side (RFC 7518 §3.4), OpenSSL reads a sequence of two integers. */
function ecdsa_der(string $signature): string
{
    $integers = '';
    foreach (str_split($signature, 32) as $number) {
        $number = ltrim($number, "\0");
        // DER integers are signed, so that a first bit of 1 needs a zero byte before it.
        if ($number === '' || ord($number[0]) > 0x7f) {
            $number = "\0" . $number;
        }
        $integers .= "\x02" . chr(strlen($number)) . $number;
    }

    return "\x30" . chr(strlen($integers)) . $integers;
}

function check_claims(array $claims): void
{
    $now = time();
    $isOurs = ($claims['iss'] ?? null) === LOGUSERAPP_URL
        && in_array(LOGUSERAPP_URL, (array) ($claims['aud'] ?? null), true)
        && ($claims['type'] ?? null) === 'access'
        && is_string($claims['sub'] ?? null) && $claims['sub'] !== ''
        && is_string($claims['sid'] ?? null) && $claims['sid'] !== ''
        && is_int($claims['nbf'] ?? null)
        && is_int($claims['exp'] ?? null)
        && $claims['nbf'] <= $now + LEEWAY;
    if (!$isOurs) {
        throw Refusal::token('token_invalid');
    }
    if ($claims['exp'] <= $now - LEEWAY) {
        throw Refusal::token('token_expired');
    }
}

// ---- The keys and the revoked list of the service, in files that all workers share

/** The public key of that name as PEM, or null. */
function find_key(string $kid): ?string
{
    return keys(KEYS_MAX_AGE)[$kid] ?? keys(KEYS_COOLDOWN)[$kid] ?? null;
}

function keys(float $max_age): array
{
    refresh('keys', $max_age, 'fetch_keys');

    return cache_read('keys') ?? throw Refusal::unavailable();
}

function is_revoked(string $sid): bool
{
    refresh('revoked', REVOKED_INTERVAL, 'fetch_revoked');
    $list = cache_read('revoked') ?? throw Refusal::unavailable();

    return isset($list['sessions'][$sid]);
}

function fetch_keys(): bool
{
    $answer = fetch('/.well-known/jwks.json', MAX_KEYS_BYTES);
    $listed = json_decode($answer['body'] ?? '', true)['keys'] ?? null;
    $keys = [];
    foreach (is_array($listed) ? $listed : [] as $jwk) {
        $pem = pem_of_jwk($jwk);
        if ($pem !== null) {
            $keys[$jwk['kid']] = $pem;
        }
    }
    if ($keys === []) {
        return false; // An error page or a foreign document must not drop the known keys.
    }
    cache_write('keys', $keys);

    return true;
}

/** A JWK as PEM; null where it is no key that ES256 signs with. */
function pem_of_jwk(mixed $jwk): ?string
{
    foreach (['kid', 'kty', 'crv', 'x', 'y'] as $member) {
        if (!is_string($jwk[$member] ?? null)) {
            return null;
        }
    }
    [$x, $y] = [base64url_decode($jwk['x']), base64url_decode($jwk['y'])];
    if ($jwk['kty'] !== 'EC' || $jwk['crv'] !== 'P-256' || strlen($x) !== 32 || strlen($y) !== 32) {
        return null;
    }
    // What stands before the point of every P-256 key (RFC 5480): id-ecPublicKey, prime256v1.
    $der = hex2bin('3059301306072a8648ce3d020106082a8648ce3d030107034200') . "\x04$x$y";
    $lines = chunk_split(base64_encode($der), 64, "\n");
    $pem = "-----BEGIN PUBLIC KEY-----\n$lines-----END PUBLIC KEY-----\n";

    return openssl_pkey_get_public($pem) ? $pem : null; // false: the point is not on the curve
}

function fetch_revoked(): bool
{
    $known = cache_read('revoked');
    $answer = fetch('/api/auth/revoked/', MAX_REVOKED_BYTES, $known['etag'] ?? null);
    if ($answer === null) {
        return false;
    }
    if ($answer['status'] === 304) {
        return $known !== null;
    }
    $listed = decode_revoked($answer['body']);
    if ($listed === null) {
        return false;
    }
    // Where our clock is behind, the last tokens of a session outlive its place on the list.
    $left = array_filter($known['sessions'] ?? [], fn (int $until) => time() <= $until + LEEWAY);
    cache_write('revoked', ['etag' => $answer['etag'], 'sessions' => $listed + $left]);

    return true;
}

/** `until` by `sid`, or null where the text is no such list. */
function decode_revoked(string $body): ?array
{
    // 10 MB take some 150 MB to decode; PHP's default limit is 128 MB.
    if (strlen($body) > 1_000_000 && ini_get('memory_limit') !== '-1') {
        ini_set('memory_limit', '512M');
    }
    // As an object: an array would not tell [] from {}.
    $entries = json_decode($body)->revoked ?? null;
    if (!is_array($entries)) {
        return null;
    }
    $sessions = [];
    foreach ($entries as $entry) {
        if (!is_string($entry->sid ?? null) || !is_int($entry->until ?? null)) {
            return null;
        }
        $sessions[$entry->sid] = $entry->until;
    }

    return $sessions;
}

/** What the service answers, within 2 seconds and a number of bytes; null: nothing of use. */
function fetch(string $path, int $max_bytes, ?string $known_etag = null): ?array
{
    $body = '';
    $etag = null;
    $curl = curl_init(LOGUSERAPP_INTERNAL_URL . $path);
    curl_setopt_array($curl, [
        CURLOPT_TIMEOUT_MS => FETCH_TIMEOUT_MS,
        CURLOPT_NOSIGNAL => true,
        CURLOPT_HTTPHEADER => $known_etag === null ? [] : ["If-None-Match: $known_etag"],
        CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$etag): int {
            if (stripos($line, 'etag:') === 0) {
                $etag = trim(substr($line, 5));
            }

            return strlen($line);
        },
        CURLOPT_WRITEFUNCTION => function ($curl, string $part) use (&$body, $max_bytes): int {
            $body .= $part;

            return strlen($body) <= $max_bytes ? strlen($part) : 0; // 0 ends the transfer
        },
    ]);
    $is_whole = curl_exec($curl);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);

    return $is_whole && in_array($status, [200, 304], true) ? compact('status', 'etag', 'body') : null;
}

// ---- One request fetches for all

/** Fetches if the last fetch began more than $interval seconds ago, or failed a second ago. */
function refresh(string $name, float $interval, callable $fetch): void
{
    $arrived = microtime(true);
    $last = cache_read("$name.last");
    if (!is_due($last, $arrived, $interval)) {
        return;
    }
    $lock = fopen(cache_folder() . "/$name.lock", 'c');
    if (!flock($lock, LOCK_EX | LOCK_NB)) {
        if ($last['failed'] ?? false) {
            return; // The service is away: one request tries, the others go on.
        }
        flock($lock, LOCK_EX);
    }
    // What another request fetched while this one waited is new enough.
    if ((cache_read("$name.last")['ended'] ?? 0.0) < $arrived) {
        $began = microtime(true);
        $failed = !$fetch();
        cache_write("$name.last", compact('began', 'failed') + ['ended' => microtime(true)]);
    }
    fclose($lock);
}

function is_due(?array $last, float $now, float $interval): bool
{
    if ($last === null) {
        return true;
    }
    $age = $now - ($last['failed'] ? $last['ended'] : $last['began']);

    // A negative age: the clock was set back.
    return $age < 0 || $age >= ($last['failed'] ? RETRY : $interval);
}

function cache_read(string $name): ?array
{
    $text = @file_get_contents(cache_folder() . "/$name.json");

    return $text === false ? null : json_decode($text, true);
}

function cache_write(string $name, array $value): void
{
    $file = cache_folder() . "/$name.json";
    $new = $file . '.' . bin2hex(random_bytes(4));
    file_put_contents($new, json_encode($value, JSON_THROW_ON_ERROR));
    rename($new, $file); // whole or not at all, for whoever reads meanwhile
}

/** A folder of our own, since what is in it decides who is let in. */
function cache_folder(): string
{
    static $folder = null;
    if ($folder === null) {
        $user = function_exists('posix_geteuid') ? posix_geteuid() : getmyuid();
        $name = 'loguserapp-' . hash('sha256', $user . LOGUSERAPP_URL . __DIR__);
        $folder = getenv('LOGUSERAPP_CACHE') ?: sys_get_temp_dir() . "/$name";
        if (!is_dir($folder)) {
            @mkdir($folder, 0700, true); // another request may be first
        }
        if (is_link($folder) || fileowner($folder) !== $user) {
            throw new RuntimeException("$folder belongs to somebody else: set LOGUSERAPP_CACHE");
        }
    }

    return $folder;
}

// ---- The program

try {
    $path = (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
    if (!str_ends_with(rtrim($path, '/'), '/resource')) {
        throw new Refusal(404, 'not_found');
    }
    if (!in_array($_SERVER['REQUEST_METHOD'], ['GET', 'HEAD'], true)) {
        throw new Refusal(405, 'method_not_allowed', 'Allow: GET, HEAD');
    }
    send_json(200, ['message' => 'akses sukses', 'user' => claims_of_request()['sub']]);
} catch (Refusal $refusal) {
    $refusal->send();
} catch (Throwable $error) {
    error_log((string) $error);
    (new Refusal(500, 'internal_error'))->send();
}
