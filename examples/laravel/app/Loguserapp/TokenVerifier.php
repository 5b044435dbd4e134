<?php

namespace App\Loguserapp;

/** Decides whether an access token of loguserapp is good. */
final class TokenVerifier
{
    /** How far the clocks of this machine and of the service may be apart. */
    public const LEEWAY_SECONDS = 150;

    private const MAX_LENGTH = 8192;

    public function __construct(
        private string $issuer,
        private KeySet $keys,
        private RevokedSessions $revoked,
        private SignatureCheck $signatures,
    ) {
    }

    /** The token of an Authorization header; null where it has none. */
    public static function bearer(string $authorization): ?string
    {
        [$scheme, $token] = explode(' ', $authorization, 2) + [1 => ''];

        return strcasecmp($scheme, 'Bearer') === 0 ? trim($token, ' ') : null;
    }

    /**
     * @return array<string, mixed> the claims
     *
     * @throws TokenRefused
     * @throws ServiceUnavailable no keys or no list yet
     */
    public function verify(string $token): array
    {
        [$header, $claims, $signed, $signature] = self::parse($token);
        if (
            ($header['alg'] ?? null) !== 'ES256'
            || ($header['typ'] ?? null) !== 'at+jwt'
            || isset($header['crit'])
            || ! is_string($header['kid'] ?? null)
        ) {
            throw new TokenRefused('token_invalid');
        }
        $key = $this->keys->find($header['kid']);
        if ($key === null || ! $this->signatures->isValid($signed, $signature, $key)) {
            throw new TokenRefused('token_invalid');
        }
        $this->checkClaims($claims);
        if ($this->revoked->contains($claims['sid'])) {
            throw new TokenRefused('token_revoked');
        }

        return $claims;
    }

    /** @return array{array, array, string, string} header, claims, what is signed, signature */
    private static function parse(string $token): array
    {
        $parts = explode('.', $token, 4);
        if (strlen($token) > self::MAX_LENGTH || count($parts) !== 3) {
            throw new TokenRefused('token_invalid');
        }
        [$header, $claims, $signature] = array_map([Base64Url::class, 'decode'], $parts);
        $header = json_decode($header ?? '', true);
        $claims = json_decode($claims ?? '', true);
        if (! is_array($header) || ! is_array($claims) || strlen($signature ?? '') !== 64) {
            throw new TokenRefused('token_invalid');
        }
        // Libraries stumble over r = 0 or s = 0, which no signature has.
        if (in_array(str_repeat("\0", 32), str_split($signature, 32), true)) {
            throw new TokenRefused('token_invalid');
        }

        return [$header, $claims, "$parts[0].$parts[1]", $signature];
    }

    private function checkClaims(array $claims): void
    {
        $now = time();
        $isOurs = ($claims['iss'] ?? null) === $this->issuer
            && in_array($this->issuer, (array) ($claims['aud'] ?? null), true)
            && ($claims['type'] ?? null) === 'access'
            && self::isText($claims['sub'] ?? null)
            && self::isText($claims['sid'] ?? null)
            && is_int($claims['nbf'] ?? null)
            && is_int($claims['exp'] ?? null)
            && $claims['nbf'] <= $now + self::LEEWAY_SECONDS;
        if (! $isOurs) {
            throw new TokenRefused('token_invalid');
        }
        if ($claims['exp'] <= $now - self::LEEWAY_SECONDS) {
            throw new TokenRefused('token_expired');
        }
    }

    private static function isText(mixed $claim): bool
    {
        return is_string($claim) && $claim !== '' && strlen($claim) <= 255;
    }
}
