<?php

namespace App\Loguserapp;

/** One JWT library, of which nothing is used but the check of an ES256 signature. */
interface SignatureCheck
{
    /**
     * @param  string  $signature  64 bytes: r and s, neither of them 0
     * @param  string  $key  PEM of a P-256 key
     */
    public function isValid(string $signed, string $signature, string $key): bool;
}
