<?php

// Laravel from Composer, or else from Debian's packages.

if (is_file(__DIR__.'/../vendor/autoload.php')) {
    require_once __DIR__.'/../vendor/autoload.php';

    return;
}

require_once 'Illuminate/autoload.php';
foreach (['Lcobucci/JWT/autoload.php', 'phpseclib3/autoload.php'] as $library) {
    if (stream_resolve_include_path($library)) {
        require_once $library;
    }
}
spl_autoload_register(function (string $class): void {
    $file = __DIR__.'/../app/'.str_replace('\\', '/', substr($class, strlen('App\\'))).'.php';
    if (str_starts_with($class, 'App\\') && is_file($file)) {
        require $file;
    }
});
