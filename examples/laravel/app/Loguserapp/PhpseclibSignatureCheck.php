<?php

namespace App\Loguserapp;

use phpseclib3\Crypt\EC\Formats\Signature\ASN1;
use phpseclib3\Crypt\PublicKeyLoader;
use phpseclib3\Math\BigInteger;

final class PhpseclibSignatureCheck implements SignatureCheck
{
    public function isValid(string $signed, string $signature, string $key): bool
    {
        // A JWT has r and s side by side (RFC 7518 §3.4); older versions of phpseclib read ASN.1 only.
        [$r, $s] = str_split($signature, 32);
        $asn1 = ASN1::save(new BigInteger($r, 256), new BigInteger($s, 256));

        return PublicKeyLoader::load($key)->withHash('sha256')->withSignatureFormat('ASN1')->verify($signed, $asn1);
    }
}
