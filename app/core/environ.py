"""Keys of this service in the WSGI environment, shared by the server and the Flask application."""

# When the request began (`time.perf_counter`), and its id.
BEGAN = "loguserapp.began"
REQUEST_ID = "loguserapp.request_id"
# Granian's protocol object, and whether another thread has already sent the response.
PROTOCOL = "loguserapp.protocol"
ANSWERED = "loguserapp.answered"
# The function that reads the body: called with the environment and a number of bytes.
READ_BODY = "loguserapp.read_body"
