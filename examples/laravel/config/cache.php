<?php

// All workers share the store, and it needs locks: file, database, redis or memcached.
return [
    'default' => env('CACHE_DRIVER', 'file'),
    'stores' => [
        'file' => ['driver' => 'file', 'path' => env('CACHE_PATH', storage_path('framework/cache'))],
        'database' => ['driver' => 'database', 'table' => 'cache', 'connection' => null],
    ],
    'prefix' => 'notes',
];
