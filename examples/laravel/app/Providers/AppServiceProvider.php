<?php

namespace App\Providers;

use App\Http\ProblemDetails;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Support\ServiceProvider;
use Throwable;

final class AppServiceProvider extends ServiceProvider
{
    public function boot(): void
    {
        $this->loadRoutesFrom(base_path('routes/api.php'));
        $this->callAfterResolving(ExceptionHandler::class, function (ExceptionHandler $handler) {
            $handler->renderable(fn (Throwable $error) => ProblemDetails::of($error));
        });
    }
}
