<?php

namespace App\Loguserapp;

use Illuminate\Http\JsonResponse;
use Symfony\Component\HttpKernel\Exception\ServiceUnavailableHttpException;

/** 503: without the keys and the list of loguserapp nobody can tell whether a token is good. */
final class ServiceUnavailable extends ServiceUnavailableHttpException
{
    public function __construct()
    {
        parent::__construct(5, 'The login service does not answer. Try again in a few seconds.');
    }

    public function render(): JsonResponse
    {
        return Problem::response(503, 'service_unavailable', $this->getMessage(), $this->getHeaders());
    }
}
