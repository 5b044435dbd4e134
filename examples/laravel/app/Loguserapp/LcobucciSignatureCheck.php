<?php

namespace App\Loguserapp;

use Lcobucci\JWT\Signer\Ecdsa\Sha256;
use Lcobucci\JWT\Signer\Key\InMemory;

final class LcobucciSignatureCheck implements SignatureCheck
{
    public function isValid(string $signed, string $signature, string $key): bool
    {
        return (new Sha256)->verify($signature, $signed, InMemory::plainText($key));
    }
}
