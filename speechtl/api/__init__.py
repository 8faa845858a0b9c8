"""The functions of the public face, one for each verb; what they need is imported when they are called."""
