"""The program: its commands, the assembly of its objects, start and drain, the demo."""
