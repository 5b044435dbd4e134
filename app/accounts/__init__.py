"""The rules of the product: plain values in and out, no request, no response, no form."""
