<?php

namespace App\Loguserapp;

use Illuminate\Cache\Repository;

/** The public keys of loguserapp by their `kid`, as PEM. */
final class KeySet
{
    private const MAX_BYTES = 64 * 1024;

    // By then a key that was retired is refused here too.
    private const MAX_AGE_SECONDS = 300.0;

    // How often unknown names may cause a fetch.
    private const COOLDOWN_SECONDS = 10.0;

    // What stands before the point of every P-256 key (RFC 5480): id-ecPublicKey, prime256v1.
    private const P256_PREFIX = '3059301306072a8648ce3d020106082a8648ce3d030107034200';

    public function __construct(
        private Repository $cache,
        private HttpClient $http,
        private SharedFetch $fetch,
    ) {
    }

    /** The key, or null where the service has none of that name. */
    public function find(string $kid): ?string
    {
        return $this->keys(self::MAX_AGE_SECONDS)[$kid] ?? $this->keys(self::COOLDOWN_SECONDS)[$kid] ?? null;
    }

    /** @return array<string, string> */
    private function keys(float $maxAge): array
    {
        $this->fetch->refresh('keys', $maxAge, fn () => $this->fetchKeys());

        return $this->cache->get('loguserapp.keys') ?? throw new ServiceUnavailable;
    }

    private function fetchKeys(): bool
    {
        $answer = $this->http->get('/.well-known/jwks.json', self::MAX_BYTES);
        $listed = json_decode($answer['body'] ?? '', true)['keys'] ?? null;
        $keys = [];
        foreach (is_array($listed) ? $listed : [] as $jwk) {
            $pem = self::pem($jwk);
            if ($pem !== null) {
                $keys[$jwk['kid']] = $pem;
            }
        }
        if ($keys === []) {
            return false; // An error page or a foreign document must not drop the known keys.
        }
        $this->cache->forever('loguserapp.keys', $keys);

        return true;
    }

    /** A JWK as PEM; null where it is no key that ES256 signs with. */
    private static function pem(mixed $jwk): ?string
    {
        foreach (['kid', 'kty', 'crv', 'x', 'y'] as $member) {
            if (! is_string($jwk[$member] ?? null)) {
                return null;
            }
        }
        [$x, $y] = [Base64Url::decode($jwk['x']), Base64Url::decode($jwk['y'])];
        if ($jwk['kty'] !== 'EC' || $jwk['crv'] !== 'P-256' || strlen($x ?? '') !== 32 || strlen($y ?? '') !== 32) {
            return null;
        }
        $der = hex2bin(self::P256_PREFIX)."\x04".$x.$y;
        $pem = "-----BEGIN PUBLIC KEY-----\n".chunk_split(base64_encode($der), 64, "\n").'-----END PUBLIC KEY-----';

        return openssl_pkey_get_public($pem) ? $pem : null; // false: the point is not on the curve
    }
}
