<?php

namespace App\Loguserapp;

use Illuminate\Auth\AuthenticationException;
use Illuminate\Http\JsonResponse;

/** 401: what is wrong with the token. */
final class TokenRefused extends AuthenticationException
{
    private const DETAILS = [
        'token_missing' => 'This needs an access token: send it as Authorization: Bearer <token>.',
        'token_invalid' => 'The access token is not valid. Log in again.',
        'token_expired' => 'The access token has expired. Refresh it, or log in again.',
        'token_revoked' => 'The session of this access token has ended. Log in again.',
    ];

    /** @param  key-of<self::DETAILS>  $refusal */
    public function __construct(private string $refusal)
    {
        parent::__construct(self::DETAILS[$refusal]);
    }

    public function render(): JsonResponse
    {
        $challenge = $this->refusal === 'token_missing' ? 'Bearer' : 'Bearer error="invalid_token"';

        return Problem::response(401, $this->refusal, $this->getMessage(), ['WWW-Authenticate' => $challenge]);
    }
}
