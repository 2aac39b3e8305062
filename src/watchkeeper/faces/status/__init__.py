"""Status pages for all faces: use cases, and what the world reads (pages, feeds, JSON, files).

Beside the other faces, because a page is shown by the server and written as files by a command:
both are the same bytes from the same renderer. Pages stand alone, without the frame of the product,
so that nothing of the inside can slip out.
"""
