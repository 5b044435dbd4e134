<?php

namespace App\Loguserapp;

use Illuminate\Http\JsonResponse;
use Symfony\Component\HttpFoundation\Response;

/** Problem details (RFC 9457): the one shape of every refusal. */
final class Problem
{
    public static function response(
        int $status,
        string $code,
        string $detail,
        array $headers = [],
        array $more = [],
    ): JsonResponse {
        $title = Response::$statusTexts[$status] ?? 'Error';
        $members = ['type' => 'about:blank'] + compact('title', 'status', 'detail', 'code') + $more;
        $fixed = ['Content-Type' => 'application/problem+json', 'Cache-Control' => 'no-store'];

        return new JsonResponse($members, $status, $fixed + $headers);
    }
}
