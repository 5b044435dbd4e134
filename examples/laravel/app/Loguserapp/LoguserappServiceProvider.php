<?php

namespace App\Loguserapp;

use Illuminate\Auth\AuthenticationException;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\ServiceProvider;
use Lcobucci\JWT\Signer\Ecdsa\Sha256;

/** Adds the guard `loguserapp`: `Route::middleware('auth:loguserapp')`. */
final class LoguserappServiceProvider extends ServiceProvider
{
    public function register(): void
    {
        config(['auth.guards.loguserapp' => ['driver' => 'loguserapp']]);

        $this->app->bind(
            SignatureCheck::class,
            class_exists(Sha256::class) ? LcobucciSignatureCheck::class : PhpseclibSignatureCheck::class,
        );
        $this->app->bind(HttpClient::class, fn () => new HttpClient(config('loguserapp.internal_url')));
        $this->app->when(TokenVerifier::class)->needs('$issuer')->give(fn () => config('loguserapp.url'));

        $this->callAfterResolving(ExceptionHandler::class, function (ExceptionHandler $handler) {
            $handler->renderable(fn (AuthenticationException $e) => in_array('loguserapp', $e->guards(), true)
                ? (new TokenRefused('token_missing'))->render()
                : null);
        });
    }

    public function boot(): void
    {
        Auth::viaRequest('loguserapp', function (Request $request): ?User {
            $token = TokenVerifier::bearer($request->headers->get('Authorization', ''));

            return $token === null ? null : User::of($this->app->make(TokenVerifier::class)->verify($token)['sub']);
        });
    }
}
