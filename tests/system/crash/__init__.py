"""The program killed with SIGKILL at named points and at random, and what is then counted."""
