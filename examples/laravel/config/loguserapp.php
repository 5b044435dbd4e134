<?php

$url = rtrim(env('LOGUSERAPP_URL', 'http://127.0.0.1:5000'), '/');

return [
    // PUBLIC_URL of the service: `iss` and `aud` of its tokens.
    'url' => $url,

    // Where this program reaches the service, if that is elsewhere.
    'internal_url' => rtrim(env('LOGUSERAPP_INTERNAL_URL') ?: $url, '/'),
];
