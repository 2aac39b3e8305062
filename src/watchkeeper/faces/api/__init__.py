"""The HTTP API under `/api/v1`, described by OpenAPI.

Rules: lists are plain arrays with the total in `X-Total-Count`; errors are
`{"error": …, "hint": …}` with a 4xx or 5xx status; times are UTC RFC 3339.
"""
