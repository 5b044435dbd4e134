<?php

namespace App\Http;

use App\Models\Note;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Http\Response;

/** The notes of the person who asks; those of others do not exist here. */
final class NoteController
{
    public function index(Request $request): JsonResponse
    {
        $notes = Note::query()->where('user_id', $request->user()->id)->orderBy('id')->get();

        return new JsonResponse(['notes' => $notes]);
    }

    public function store(Request $request): JsonResponse
    {
        // With /u the pattern counts characters, and text that is not UTF-8 does not match.
        $fields = $request->validate(
            ['text' => ['required', 'string', 'regex:/\A.{1,2000}\z/su']],
            ['text.*' => 'The text must have 1 to 2000 characters.'],
        );
        $note = Note::query()->create($fields + ['user_id' => $request->user()->id]);

        return new JsonResponse($note->refresh(), 201);
    }

    public function destroy(Request $request, string $id): Response
    {
        $deleted = Note::query()->where('user_id', $request->user()->id)->where('id', $id)->delete();
        abort_if($deleted === 0, 404);

        return new Response('', 204);
    }
}
