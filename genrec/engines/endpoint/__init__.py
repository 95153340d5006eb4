"""The engine `openai`: a server that speaks the OpenAI interface, local or hosted.

http.py       one request: deadline, tries, waiting when told to
dialect.py    what is asked and answered, at /completions and at /chat/completions
answers.py    an answer checked against what was asked
probe.py      what the server can do, found out before the run
paid.py       every answer kept the moment it comes; tokens, money, the limit
engine.py     prompts in, texts out

Of the packages it needs nothing but the standard library.
"""
