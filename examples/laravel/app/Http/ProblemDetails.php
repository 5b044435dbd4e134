<?php

namespace App\Http;

use App\Loguserapp\Problem;
use Illuminate\Http\JsonResponse;
use Illuminate\Validation\ValidationException;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;
use Throwable;

/** Answers every error of the program as problem details, without its message or trace. */
final class ProblemDetails
{
    private const KNOWN = [
        404 => ['not_found', 'There is nothing at this address.'],
        405 => ['method_not_allowed', 'This address does not know the method.'],
        413 => ['content_too_large', 'The request is too large.'],
        500 => ['internal_error', 'Something broke on our side. It has been noted.'],
    ];

    public static function of(Throwable $error): JsonResponse
    {
        if ($error instanceof ValidationException) {
            $errors = $error->errors();

            return Problem::response(422, 'validation_error', 'Check the fields.', [], compact('errors'));
        }
        $isHttp = $error instanceof HttpExceptionInterface;
        $status = $isHttp ? $error->getStatusCode() : 500;
        [$code, $detail] = self::KNOWN[$status] ?? ['bad_request', 'The request could not be read.'];

        return Problem::response($status, $code, $detail, $isHttp ? $error->getHeaders() : []);
    }
}
