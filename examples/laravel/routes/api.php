<?php

use App\Http\NoteController;
use Illuminate\Auth\Middleware\Authenticate;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Route;

Route::middleware(Authenticate::class.':loguserapp')->group(function () {
    Route::get('/resource', fn (Request $request) => [
        'message' => 'akses sukses',
        'user' => $request->user()->sub,
    ]);
    Route::get('/api/notes', [NoteController::class, 'index']);
    Route::post('/api/notes', [NoteController::class, 'store']);
    Route::delete('/api/notes/{id}', [NoteController::class, 'destroy'])->whereNumber('id');
});
