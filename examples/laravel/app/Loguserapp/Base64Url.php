<?php

namespace App\Loguserapp;

/** Base64 as JWTs have it (RFC 7515): `-` and `_`, no padding. */
final class Base64Url
{
    public static function decode(string $text): ?string
    {
        if (! preg_match('/\A[A-Za-z0-9_-]+\z/', $text)) {
            return null;
        }
        $bytes = base64_decode(strtr($text, '-_', '+/'), true);

        return $bytes === false ? null : $bytes;
    }
}
