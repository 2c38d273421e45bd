"""Did any number change? Are two ways to the same run equal?"""
